#ifndef CKPTD_OPTIONS_H
#define CKPTD_OPTIONS_H

#include <slurm/spank.h>

/* Makes --ckpt-interval, --ckpt-kind and --no-ckpt options of sbatch, salloc and srun; a bad value is refused there. */
int options_register(spank_t spank);

/* Hands what was given on to Prolog and Epilog as SPANK_CKPT_INTERVAL, SPANK_CKPT_KIND and SPANK_CKPT_OFF. */
int options_pass_on(spank_t spank);

#endif
