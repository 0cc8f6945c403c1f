#ifndef CKPTD_SAY_H
#define CKPTD_SAY_H

/*
 * An error for an admin: slurm_error, and a line of `ckptd-spank` in the system's log. Before a job has its output,
 * what slurmstepd logs is nowhere at all where slurm.conf has no SlurmdLogFile and slurmd runs under systemd (seen with
 * 24.11: its stderr is /dev/null, its syslog level is quiet). From task_init_privileged on, slurm_error also writes to
 * the job's stderr, which slurmstepd has as its own then.
 */
__attribute__((format(printf, 1, 2))) void say_error(const char *format, ...);

#endif
