#ifndef CKPTD_BREAKPOINTS_H
#define CKPTD_BREAKPOINTS_H

#include <stdbool.h>

/*
 * Whether the processor stops a process at a breakpoint in its debug registers. Hypervisors need not pass those on (AMD
 * SEV without Debug Virtualization, some nested ones): they are set without an error then, and nothing ever stops. CRIU
 * before 4.2 does not look (criu#2658): it waits without end for a process to stop, and with its own code in the job.
 * True as well where the question does not arise. Takes two context switches.
 */
bool breakpoints_work(void);

/* What tells CRIU to stop processes at system calls instead: its FI_NO_BREAKPOINTS. */
#define CRIU_FAULT "CRIU_FAULT"
#define CRIU_NO_BREAKPOINTS "130"

#endif
