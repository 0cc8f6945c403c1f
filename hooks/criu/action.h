#ifndef CKPTD_ACTION_H
#define CKPTD_ACTION_H

/*
 * CRIU's action script, called without arguments and with CRTOOLS_SCRIPT_ACTION in the environment:
 *
 *   post-dump     all of the job is dumped and still frozen. With $CKPTD_RECORD, the record of what the tree below
 *                 process $CKPTD_ROOT has open is written to that file, which must not be there yet (record.h).
 *   post-restore  all of the job is there again and has not run yet. The engine at $CKPTD_SOCKET is asked whether job
 *                 $CKPTD_JOB may have what it has open now.
 *
 * CRIU aborts, and kills what it restored, for any exit code but 0. What is printed gets into its log. It is run
 * by exec, not by a shell, so root's effective id is still there where the real ids are the owner's (owner-ids.h).
 */
int action_main(const char *action);

#endif
