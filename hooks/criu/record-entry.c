#include "record-entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static const char MARK[] = " (deleted)";

/*
 * The kernel marks the name that a file was opened by when that name is gone. A file may really be called so, and
 * a file whose name is gone may have others: only a look at that very name tells.
 */
static int is_deleted(const char *path, size_t length, pid_t pid, const struct stat *at)
{
	char name[PATH_MAX + 64];
	struct stat there;

	if (length < sizeof(MARK) || strcmp(path + length - (sizeof(MARK) - 1), MARK) != 0)
		return 0;
	if (at->st_nlink == 0 || path[0] != '/')
		return 1;
	snprintf(name, sizeof(name), "/proc/%d/root%s", pid, path);
	return fstatat(AT_FDCWD, name, &there, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0 ||
	       there.st_dev != at->st_dev || there.st_ino != at->st_ino;
}

int entry_read(int dir, const char *name, pid_t pid, struct entry *entry)
{
	ssize_t length = readlinkat(dir, name, entry->path, sizeof(entry->path) - 1);
	if (length < 0)
		return -1;
	if ((size_t)length == sizeof(entry->path) - 1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	entry->path[length] = '\0';
	if (fstatat(dir, name, &entry->at, 0) != 0)
		return -1;
	entry->deleted = is_deleted(entry->path, (size_t)length, pid, &entry->at);
	if (entry->deleted)
		entry->path[(size_t)length - (sizeof(MARK) - 1)] = '\0';
	return 0;
}

int record_path(struct record *record, const struct entry *entry)
{
	static const char HEX[] = "0123456789ABCDEF";
	for (const char *c = entry->path; *c; c++) {
		unsigned char byte = (unsigned char)*c;
		if (byte > ' ' && byte < 127 && byte != '%') {
			putc_unlocked(byte, record->out);
		} else {
			putc_unlocked('%', record->out);
			putc_unlocked(HEX[byte >> 4], record->out);
			putc_unlocked(HEX[byte & 15], record->out);
		}
	}
	putc_unlocked('\n', record->out);
	record->lines++;
	return ferror(record->out) ? -1 : 0;
}
