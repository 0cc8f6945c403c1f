#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.14; older libcs and headers have neither. */
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#define NOSYMFOLLOW 0x00200000
#define RECURSIVE 0x8000
/* STATX_ATTR_MOUNT_ROOT, Linux 5.8 */
#define MOUNT_ROOT 0x2000

struct attributes {
	uint64_t set, clear, propagation, userns_fd;
};

static int change(const char *folder, uint64_t set, uint64_t clear)
{
	struct attributes attributes = {.set = set, .clear = clear};
	return (int)syscall(SYS_mount_setattr, AT_FDCWD, folder, RECURSIVE, &attributes, sizeof(attributes));
}

/* So that the rest of a file system stays as it is. Two mounts on top of each other would confuse the next dump. */
static int own_mount(const char *folder)
{
	struct statx there;
	if (statx(AT_FDCWD, folder, AT_SYMLINK_NOFOLLOW, 0, &there) != 0)
		return -1;
	if (there.stx_attributes & MOUNT_ROOT)
		return 0;
	return mount(folder, folder, NULL, MS_BIND | MS_REC, NULL);
}

int guard_set(char *const *folders, int count, const char **which)
{
	size_t size = 1;
	for (int i = 0; i < count; i++)
		size += strlen(folders[i]) + 1;
	char *list = calloc(size, 1);
	*which = "";
	if (!list)
		return -1;
	for (int i = 0; i < count; i++) {
		*which = folders[i];
		if (own_mount(folders[i]) != 0 || change(folders[i], NOSYMFOLLOW, 0) != 0)
			goto fail;
		strcat(strcat(list, folders[i]), "\n");
	}
	if (setenv(GUARD_VARIABLE, list, 1) != 0)
		goto fail;
	free(list);
	return 0;
fail:;
	int error = errno;
	free(list);
	errno = error;
	return -1;
}

int guard_lift(void)
{
	const char *noted = getenv(GUARD_VARIABLE);
	char *list = strdup(noted ? noted : ""), *rest = list, *folder;
	int rc = list ? 0 : -1;

	while (rc == 0 && (folder = strsep(&rest, "\n")))
		if (folder[0] && change(folder, 0, NOSYMFOLLOW) != 0)
			rc = -1;
	int error = errno;
	free(list);
	errno = error;
	return rc;
}
