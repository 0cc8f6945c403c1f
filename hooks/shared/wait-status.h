#ifndef CKPTD_WAIT_STATUS_H
#define CKPTD_WAIT_STATUS_H

#include <stddef.h>

/* Ends this process as another one ended, whose wait status this is; a core is not written twice. */
__attribute__((noreturn)) void end_like(int status);

/* "exited with 1", "was killed by signal 9". */
void describe_status(int status, char *text, size_t size);

#endif
