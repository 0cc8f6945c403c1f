/* ckptd-criu: CRIU as the engine and the SPANK plugin need it. See the roles' own files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "action.h"
#include "init.h"
#include "may-restore.h"
#include "run.h"

static const char usage[] =
	"usage: ckptd-criu run --uid U --gid G [--groups 'G…' --capabilities C,…] [--images DIR] [--inside PID] -- CRIU ARGUMENT…\n"
	"       ckptd-criu init [--fd N] --uid U --gid G --groups 'G…' --capabilities C,… --images DIR --root PID [--files N]\n"
	"                       --log F -- CRIU OPTION…\n"
	"       ckptd-criu may-restore --uid U --gid G [--groups 'G…'] [--inside PID]\n"
	"       ckptd-criu, as CRIU's --action-script below the first of these\n";

int main(int argc, char **argv)
{
	/* CRIU gives an action script no arguments. */
	const char *action = getenv("CRTOOLS_SCRIPT_ACTION");
	if (argc == 1 && action)
		return action_main(action);
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		return run_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "init") == 0)
		return init_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "may-restore") == 0)
		return may_restore_main(argc - 1, argv + 1);
	fputs(usage, stderr);
	return EX_USAGE;
}
