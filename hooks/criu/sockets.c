#include "sockets.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "owner-ids.h"
#include "owner-rights.h"
#include "socket-paths.h"

static bool active;
static char given[PATH_MAX];

static int (*real_bind)(int, const struct sockaddr *, socklen_t);
static int (*real_connect)(int, const struct sockaddr *, socklen_t);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_mkdirat)(int, const char *, mode_t);
static int (*real_rmdir)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_fchownat)(int, const char *, uid_t, gid_t, int);
static int (*real_fchmodat)(int, const char *, mode_t, int);

static void find(void *function, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	if (!found)
		_exit(127);
	memcpy(function, &found, sizeof(found));
}

__attribute__((constructor)) static void loaded(void)
{
	const char *owner = getenv(SOCKETS_OWNER);

	find(&real_bind, "bind");
	find(&real_connect, "connect");
	find(&real_unlinkat, "unlinkat");
	find(&real_mkdirat, "mkdirat");
	find(&real_rmdir, "rmdir");
	find(&real_rename, "rename");
	find(&real_fchownat, "fchownat");
	find(&real_fchmodat, "fchmodat");
	/* CRIU's action script inherits the environment, and is root. */
	if (!owner || getenv("CRTOOLS_SCRIPT_ACTION"))
		return;
	if (owner_rights_set(owner) != 0)
		_exit(127);
	if (getenv(SOCKETS_PROBE))
		_exit(SOCKETS_LOADED);
	/* Only here: the loader leaves this out of a program whose real and effective ids differ. */
	if (owner_ids_take(owner_rights_uid(), owner_rights_gid()) != 0)
		_exit(127);
	if (getuid() != geteuid())
		prctl(PR_SET_DUMPABLE, 0);
	active = owner_rights_uid() != 0;
}

#define AS_OWNER(path, call) \
	({ \
		int rc_ = owner_rights_take(); \
		if (rc_ == 0) { \
			rc_ = (path)[0] == '/' || sockets_may_be_here() ? (call) : -1; \
			owner_rights_return(); \
		} \
		rc_; \
	})

/* Abstract names begin with a NUL, and those that the kernel chooses are empty. */
static bool has_name(const struct sockaddr *address, socklen_t length)
{
	return active && address && length > offsetof(struct sockaddr_un, sun_path) && address->sa_family == AF_UNIX &&
	       ((const struct sockaddr_un *)address)->sun_path[0] != '\0';
}

#pragma GCC visibility push(default)
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	if (!has_name(address, length))
		return real_bind(fd, address, length);
	return AS_OWNER(((const struct sockaddr_un *)address)->sun_path, real_bind(fd, address, length));
}

/* A deleted socket is reached as `N`, in the folder of CRIU's own descriptors: its permissions are what counts. */
int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	if (!has_name(address, length))
		return real_connect(fd, address, length);
	return AS_OWNER("/", real_connect(fd, address, length));
}

/* Nothing else of CRIU's removes by name alone. */
int unlinkat(int folder, const char *path, int flags)
{
	if (!active || folder != AT_FDCWD || flags != 0)
		return real_unlinkat(folder, path, flags);
	return AS_OWNER(path, real_unlinkat(folder, path, flags));
}

/* Folders of deleted sockets. CRIU removes them with rmdir when the socket is made, and other folders of its own too. */
int mkdirat(int folder, const char *path, mode_t mode)
{
	if (!active || folder != AT_FDCWD)
		return real_mkdirat(folder, path, mode);
	if (sockets_note_folder(path) != 0)
		return -1;
	return AS_OWNER(path, real_mkdirat(folder, path, mode));
}

int rmdir(const char *path)
{
	if (!active || !sockets_forget_folder(path))
		return real_rmdir(path);
	return AS_OWNER(path, real_rmdir(path));
}

int rename(const char *from, const char *to)
{
	if (!active || (!sockets_is_parked(from) && !sockets_is_parked(to)))
		return real_rename(from, to);
	return AS_OWNER(from, real_rename(from, to));
}

/* Other files get their owner without following links. */
int fchownat(int folder, const char *path, uid_t uid, gid_t gid, int flags)
{
	given[0] = '\0';
	if (!active || folder != AT_FDCWD || flags != 0)
		return real_fchownat(folder, path, uid, gid, flags);
	snprintf(given, sizeof(given), "%s", path);
	return AS_OWNER(path, real_fchownat(folder, path, uid, gid, flags));
}

/* Other files get here too; those had another fchownat before. */
int fchmodat(int folder, const char *path, mode_t mode, int flags)
{
	if (!active || folder != AT_FDCWD || flags != 0 || strcmp(path, given) != 0)
		return real_fchmodat(folder, path, mode, flags);
	return AS_OWNER(path, real_fchmodat(folder, path, mode, flags));
}
#pragma GCC visibility pop
