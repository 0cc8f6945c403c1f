#ifndef CKPTD_NOTES_H
#define CKPTD_NOTES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What one program of a run leaves for the next, as small files beside the engine's socket, on the node's tmpfs:
 *
 *   starts/JOB              how often the job was restarted: Prolog writes it, slurmstepd reads it, Epilog removes it.
 *                           S_SLURM_RESTART_COUNT is 0 in every slurmstepd (22.05, 24.11, 26.05: nothing ever sets what
 *                           it reads), and only Prolog has SLURM_JOB_RESTART_COUNT.
 *   anew/JOB.RESTARTS.UID   this run began anew and the engine does not know: it reads and removes these.
 */

/* Whether the folder of the engine's socket is there. Where it is not, no engine has run since the node came up. */
bool notes_engine_known(void);

/* In Prolog, from its environment. What cannot be written is an error in Slurm's log. */
void notes_write_restarts(uint32_t job);

void notes_remove_restarts(uint32_t job);

/* False where Prolog left no note, or none that is a number. */
bool notes_read_restarts(uint32_t job, uint32_t *restarts);

void notes_begun_anew(uint32_t job, uint32_t restarts, uid_t uid);

#endif
