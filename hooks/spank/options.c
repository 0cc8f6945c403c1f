#include "options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "values.h"

enum { INTERVAL, KIND, OFF };

/* What was given, as it goes on; empty: not given. */
static struct {
	const char *variable;
	char value[VALUE_MAX];
} given[] = {
	[INTERVAL] = {.variable = "CKPT_INTERVAL"},
	[KIND] = {.variable = "CKPT_KIND"},
	[OFF] = {.variable = "CKPT_OFF"},
};

/* -1 makes sbatch, salloc or srun end with an error of its own behind ours. */
static int on_option(int which, const char *text, int remote)
{
	/* It was looked at where it was given. A job that runs is not failed for it. */
	if (remote)
		return 0;
	char *value = given[which].value;
	switch (which) {
	case INTERVAL:
		if (value_interval(text, value) == 0)
			return 0;
		slurm_error("--ckpt-interval: \"%.40s\" is not a time like 90s, 15m or 2h between 10s and 7d", text ? text : "");
		return -1;
	case KIND:
		if (value_kind(text, value) == 0)
			return 0;
		slurm_error("--ckpt-kind: \"%.40s\" is not one of simple, rootfs, rootfsonly", text ? text : "");
		return -1;
	default:
		snprintf(value, VALUE_MAX, "1");
		return 0;
	}
}

static struct spank_option options[] = {
	{.name = (char *)"ckpt-interval",
	 .arginfo = (char *)"time",
	 .usage = (char *)"checkpoint this job every so often: 90s, 15m, 2h (10s to 7d)",
	 .has_arg = 1,
	 .val = INTERVAL,
	 .cb = on_option},
	{.name = (char *)"ckpt-kind",
	 .arginfo = (char *)"kind",
	 .usage = (char *)"what its checkpoints hold: simple, rootfs or rootfsonly",
	 .has_arg = 1,
	 .val = KIND,
	 .cb = on_option},
	{.name = (char *)"no-ckpt",
	 .arginfo = NULL,
	 .usage = (char *)"do not checkpoint this job",
	 .has_arg = 0,
	 .val = OFF,
	 .cb = on_option},
};

int options_register(spank_t spank)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (spank_option_register(spank, &options[i]) != ESPANK_SUCCESS)
			slurm_error("ckptd: cannot register --%s", options[i].name);
	return 0;
}

int options_pass_on(spank_t spank)
{
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		if (given[i].value[0] == '\0')
			continue;
		spank_err_t error = spank_job_control_setenv(spank, given[i].variable, given[i].value, 1);
		if (error != ESPANK_SUCCESS) {
			slurm_error("ckptd: cannot pass %s on: %s", given[i].variable, spank_strerror(error));
			return -1;
		}
	}
	return 0;
}
