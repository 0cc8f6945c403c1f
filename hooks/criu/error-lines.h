#ifndef CKPTD_ERROR_LINES_H
#define CKPTD_ERROR_LINES_H

#include <stddef.h>

/*
 * The last lines of CRIU's log that say what went wrong, as one line of printable text; "its log … has no error" if
 * there is none. Those that CRIU writes on every machine without CAP_SYS_RESOURCE are left out.
 */
void error_lines(const char *log, char *text, size_t size);

#endif
