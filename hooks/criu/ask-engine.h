#ifndef CKPTD_ASK_ENGINE_H
#define CKPTD_ASK_ENGINE_H

#include <stddef.h>

/*
 * Asks the engine at $CKPTD_SOCKET whether everything that job $CKPTD_JOB has open now is something that its owner
 * may have. 0 if it says so; else, also when nobody answers within a minute, -1 with `why`.
 */
int ask_engine_check(char *why, size_t size);

#endif
