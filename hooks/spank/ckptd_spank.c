/* What Slurm calls. Nothing happens here but the choice of the context; each has a file of its own. */
#include <slurm/spank.h>

#include "config.h"
#include "options.h"
#include "prolog-epilog.h"
#include "start.h"
#include "task.h"

#pragma GCC visibility push(default)
SPANK_PLUGIN(ckptd, 1)

int slurm_spank_init(spank_t spank, int argc, char **argv)
{
	config_read(argc, argv);
	switch (spank_context()) {
	case S_CTX_LOCAL:
	case S_CTX_ALLOCATOR:
	case S_CTX_REMOTE:
		return options_register(spank);
	default:
		return 0;
	}
}

int slurm_spank_init_post_opt(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	switch (spank_context()) {
	case S_CTX_LOCAL:
	case S_CTX_ALLOCATOR:
		return options_pass_on(spank);
	case S_CTX_REMOTE:
		return start_ask(spank);
	default:
		return 0;
	}
}

int slurm_spank_task_init_privileged(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return spank_context() == S_CTX_REMOTE ? task_restore(spank) : 0;
}

int slurm_spank_task_post_fork(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return spank_context() == S_CTX_REMOTE ? start_taken(spank) : 0;
}

int slurm_spank_exit(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return spank_context() == S_CTX_REMOTE ? start_over(spank) : 0;
}

int slurm_spank_job_prolog(spank_t spank, int argc, char **argv)
{
	config_read(argc, argv);
	return prolog_run(spank);
}

int slurm_spank_job_epilog(spank_t spank, int argc, char **argv)
{
	config_read(argc, argv);
	return epilog_run(spank);
}
#pragma GCC visibility pop
