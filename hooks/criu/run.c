#include "run.h"

#include <sysexits.h>

#include "arguments.h"
#include "criu-child.h"
#include "enter.h"
#include "wait-status.h"

int run_main(int argc, char **argv)
{
	struct arguments arguments;
	int status;

	if (arguments_parse(argc, argv, "--inside ", &arguments) != 0)
		return EX_USAGE;
	if (arguments.inside > 0 && enter(arguments.inside) != 0)
		return EX_OSERR;
	if (criu_run(&arguments, &status) != 0)
		return EX_OSERR;
	end_like(status);
}
