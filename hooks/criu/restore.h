#ifndef CKPTD_RESTORE_H
#define CKPTD_RESTORE_H

#include <stddef.h>
#include <sys/types.h>

#include "arguments.h"

/*
 * Runs CRIU with the rights of the job's owner, and has it restore the images into this pid and mount namespace. Once
 * everything is there and nothing has run yet, the engine is asked whether it may (ask-engine.h). The owner can stop
 * or kill this CRIU, as any process of theirs: a CRIU that ends without a word has restored nothing, and whoever
 * called this process has a limit of time.
 *
 * The root of the restored job, as a pid in here; -1 after the reason is in `why`. CRIU has ended by then.
 */
pid_t restore(const struct arguments *arguments, char *why, size_t size);

#endif
