#ifndef CKPTD_INIT_REPORT_H
#define CKPTD_INIT_REPORT_H

#include <stdint.h>

/*
 * What passes between the supervisor (the SPANK plugin in the job's task) and `ckptd-criu init` over a SOCK_SEQPACKET
 * pair, one message a send. Downwards: an int32_t, the signal for the job. Upwards: these. The end of the stream
 * means that the other one is gone; init then ends, and with it every process of its namespace.
 */
enum init_report_kind {
	INIT_RESTORED = 1, /* value: the root of the job in its own pid namespace */
	INIT_FAILED = 2,   /* value: wait status of CRIU, or -1; text: why */
	INIT_EXITED = 3,   /* value: wait status of the job's root */
};

struct init_report {
	int32_t kind;
	int32_t value;
	char text[2040]; /* ends with a NUL */
};

/* The descriptor that the plugin leaves open for init; `--fd` says the same. */
#define INIT_REPORT_FD 3

#endif
