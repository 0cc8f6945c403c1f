#ifndef CKPTD_TASK_H
#define CKPTD_TASK_H

#include <slurm/spank.h>

/*
 * In the job's own task, as root, before the batch script is run: if there is a plan, the restored job takes the
 * script's place, and this does not return. Otherwise, and if the restore fails, 0: the script is run. A job that begins
 * anew although it had run before reads so, in one line on its stderr.
 */
int task_restore(spank_t spank);

#endif
