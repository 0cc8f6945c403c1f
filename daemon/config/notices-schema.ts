import * as v from 'valibot';
import { parseEndpoint } from './api-url.ts';
import { block, key } from './block.ts';
import { absolutePath, duration, flag, listOf, oneOf, parsed, text } from './fields.ts';

export const NOTICE_PROVIDERS = ['auto', 'ec2', 'gcp', 'azure', 'alibaba', 'file', 'logind'] as const;

export const noticesSchema = block({
  providers: key(
    'Who tells of a termination. auto: whichever of the others is found at start. Empty: nobody.',
    v.pipe(
      listOf(oneOf(NOTICE_PROVIDERS), NOTICE_PROVIDERS.length),
      v.check((names) => new Set(names).size === names.length, 'has an entry twice'),
      v.metadata({ uniqueItems: true }),
    ),
    ['auto'],
  ),
  drain_node: key('Drain this node in Slurm when a notice comes.', flag(), true),
  file: key('A file that tells of a termination by being there.', absolutePath(), '/run/ckptd/terminate'),
  ec2: key(
    'The metadata service of AWS EC2.',
    block({
      endpoint: key(
        'Base URL.',
        v.pipe(text('an http: or https: URL', /^https?:\/\/\S+$/, 2048), parsed(parseEndpoint)),
        'http://169.254.169.254',
      ),
      poll: key(
        'How often spot notices are asked for.',
        duration({ atLeast: ['2s', 'the service throttles'], atMost: ['1m', 'a notice comes 120s ahead'] }),
        '2s',
      ),
    }),
    {},
  ),
});
