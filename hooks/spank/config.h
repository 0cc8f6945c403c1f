#ifndef CKPTD_CONFIG_H
#define CKPTD_CONFIG_H

/* What plugstack.conf says behind the plugin's path: `name=value` words. */
struct config {
	const char *socket;    /* socket=PATH: the engine's */
	const char *hooks;     /* hooks=DIR: where prolog and epilog are */
	unsigned int wait_s;   /* wait=SECONDS: how long the engine may prepare a restore */
};

extern struct config config;

/*
 * Defaults first, then the words. One that is unknown or wrong is an error in Slurm's log and nothing else: it must
 * not fail a job.
 */
void config_read(int argc, char **argv);

#endif
