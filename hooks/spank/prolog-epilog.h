#ifndef CKPTD_PROLOG_EPILOG_H
#define CKPTD_PROLOG_EPILOG_H

#include <slurm/spank.h>

/* Run the hooks of that name, so that plugstack.conf alone installs all of ckptd. They never fail a job: 0 always. */
int prolog_run(spank_t spank);

/* As the prolog; the engine hears of the end too, and then sees for itself whether it is one. */
int epilog_run(spank_t spank);

#endif
