#include "config.h"

#include <slurm/spank.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULTS {.socket = "/run/ckptd-engine/api.sock", .hooks = "/usr/lib/ckptd/hooks", .wait_s = 900}

struct config config = DEFAULTS;

static bool set_path(const char **path, const char *value)
{
	if (value[0] != '/')
		return false;
	*path = value;
	return true;
}

static bool set_seconds(unsigned int *seconds, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	if (digits == 0 || digits > 5 || value[digits] != '\0' || atoi(value) < 1)
		return false;
	*seconds = (unsigned int)atoi(value);
	return true;
}

void config_read(int argc, char **argv)
{
	static const struct config defaults = DEFAULTS;
	config = defaults;
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "socket=", 7) == 0) {
			if (!set_path(&config.socket, argv[i] + 7))
				slurm_error("ckptd: plugstack.conf: %s is ignored: the path is not absolute", argv[i]);
		} else if (strncmp(argv[i], "hooks=", 6) == 0) {
			if (!set_path(&config.hooks, argv[i] + 6))
				slurm_error("ckptd: plugstack.conf: %s is ignored: the path is not absolute", argv[i]);
		} else if (strncmp(argv[i], "wait=", 5) == 0) {
			if (!set_seconds(&config.wait_s, argv[i] + 5))
				slurm_error("ckptd: plugstack.conf: %s is ignored: seconds, 1 to 99999, are wanted", argv[i]);
		} else {
			slurm_error("ckptd: plugstack.conf: %s is ignored: there are socket=, hooks= and wait=", argv[i]);
		}
	}
}
