#ifndef CKPTD_HOOK_H
#define CKPTD_HOOK_H

/*
 * Runs `config.hooks`/`name` with the environment that Slurm made for Prolog and Epilog, and waits for it, for `within_ms`
 * at most: then it is killed. A folder without that hook is no error.
 */
void hook_run(const char *name, long long within_ms);

#endif
