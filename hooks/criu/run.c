#include "run.h"

#include <stdio.h>
#include <sysexits.h>

#include "arguments.h"
#include "criu-child.h"
#include "enter.h"
#include "wait-status.h"

int run_main(int argc, char **argv)
{
	struct arguments arguments;
	int status;

	if (arguments_parse(argc, argv, "--inside --groups --capabilities --images ", &arguments) != 0)
		return EX_USAGE;
	if (!arguments.criu || (arguments.as_owner && !arguments.images)) {
		fprintf(stderr, "ckptd-criu run: needs a command behind --, and with --capabilities --images\n");
		return EX_USAGE;
	}
	if (arguments.inside > 0 && enter(arguments.inside) != 0)
		return EX_OSERR;
	if (criu_run(&arguments, &status) != 0)
		return EX_OSERR;
	end_like(status);
}
