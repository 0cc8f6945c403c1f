import fc from 'fast-check';

/** The same cases each time, so that a change is red by its own fault; `FC_SEED=…` goes looking for others. */
fc.configureGlobal({ seed: Number(process.env['FC_SEED'] ?? '20261124') });

export default fc;
