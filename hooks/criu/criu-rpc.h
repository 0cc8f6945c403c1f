#ifndef CKPTD_CRIU_RPC_H
#define CKPTD_CRIU_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The few words of CRIU's RPC (images/rpc.proto, the same from 4.0 to 4.2) that a restore takes. A message is a
 * protobuf, one each send over a SOCK_SEQPACKET socket.
 */

#define CRIU_RPC_MAX 4096

/* What CRIU says: it has come to a point where a script may be run and waits for an answer, or it is done. */
struct criu_says {
	bool is_notify;
	bool success;      /* of what was done */
	char script[32];   /* of a notification: `post-restore`, … */
	pid_t pid;         /* of a restore that succeeded: the root, in CRIU's pid namespace; 0: not said */
	char message[400]; /* of a failure: the first error, where CRIU says one */
};

/*
 * The request for a restore from the folder behind the open descriptor `images`, with notifications, and the log to
 * stderr. `unprivileged`: CRIU is not root. `sibling`: the root of the job becomes CRIU's sibling and not its child, so
 * that CRIU's end is not the end of its parent (PR_SET_PDEATHSIG). Its length, at most CRIU_RPC_MAX.
 */
size_t criu_rpc_restore(char *buffer, int images, bool unprivileged, bool sibling);

/* The answer to a notification: whether CRIU goes on. */
size_t criu_rpc_answer(char *buffer, bool go_on);

/* Reads a message of CRIU's. 0, or -1 for what is none. What it does not know it passes over. */
int criu_rpc_read(const char *buffer, size_t length, struct criu_says *says);

#endif
