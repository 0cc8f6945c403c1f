#ifndef CKPTD_RECORD_PROCESS_H
#define CKPTD_RECORD_PROCESS_H

#include <sys/types.h>

#include "record-entry.h"

/* Writes the lines of one process. 0, or -1 with errno. A zombie has nothing open, and is no error. */
int record_process(struct record *record, pid_t pid);

#endif
