#include "record-process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

typedef int each(struct record *record, pid_t pid, int process, int dir, const char *name);

/* The access mode is in the permissions of the link itself, which costs less than fdinfo. */
static int access_mode(int dir, const char *name, unsigned int *flags)
{
	struct stat link;
	if (fstatat(dir, name, &link, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	int reads = (link.st_mode & S_IRUSR) != 0, writes = (link.st_mode & S_IWUSR) != 0;
	*flags = reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
	return 0;
}

static int all_flags(int process, const char *name, unsigned int *flags)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "fdinfo/%s", name);
	int fd = openat(process, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length < 0)
		return -1;
	text[length] = '\0';
	const char *line = strstr(text, "flags:");
	if (!line) {
		errno = EPROTO;
		return -1;
	}
	*flags = (unsigned int)strtoul(line + 6, NULL, 8);
	return 0;
}

static int record_fd(struct record *record, pid_t pid, int process, int dir, const char *name)
{
	struct entry entry;
	unsigned int flags = 0;

	if (entry_read(dir, name, pid, &entry) != 0)
		return -1;
	int has_path = entry.path[0] == '/';
	if ((has_path ? all_flags(process, name, &flags) : access_mode(dir, name, &flags)) != 0)
		return -1;
	fprintf(record->out, "fd%s %d %s %o %u:%u %llu %lld %o %lu ", entry.deleted ? "-deleted" : "", pid, name, flags,
		major(entry.at.st_dev), minor(entry.at.st_dev), (unsigned long long)entry.at.st_ino,
		(long long)entry.at.st_size, entry.at.st_mode, (unsigned long)entry.at.st_nlink);
	return record_path(record, &entry);
}

static int record_map(struct record *record, pid_t pid, int process, int dir, const char *name)
{
	struct entry entry;

	(void)process;
	if (entry_read(dir, name, pid, &entry) != 0)
		return -1;
	fprintf(record->out, "map%s %d %s %u:%u %llu %lld %o ", entry.deleted ? "-deleted" : "", pid, name,
		major(entry.at.st_dev), minor(entry.at.st_dev), (unsigned long long)entry.at.st_ino,
		(long long)entry.at.st_size, entry.at.st_mode);
	return record_path(record, &entry);
}

static int record_link(struct record *record, pid_t pid, int process, const char *name)
{
	struct entry entry;

	if (entry_read(process, name, pid, &entry) != 0)
		/* Of a zombie there is no executable, working folder or root. */
		return errno == ENOENT ? 0 : -1;
	fprintf(record->out, "%s%s %d %u:%u %llu %o ", name, entry.deleted ? "-deleted" : "", pid,
		major(entry.at.st_dev), minor(entry.at.st_dev), (unsigned long long)entry.at.st_ino, entry.at.st_mode);
	return record_path(record, &entry);
}

static int record_folder(struct record *record, pid_t pid, int process, const char *folder, each *record_each)
{
	const struct dirent *found;
	int rc = 0;
	int fd = openat(process, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while (rc == 0) {
		errno = 0;
		found = readdir(dir);
		if (!found) {
			rc = errno == 0 ? 0 : -1;
			break;
		}
		if (found->d_name[0] != '.')
			rc = record_each(record, pid, process, dirfd(dir), found->d_name);
	}
	int error = errno;
	closedir(dir);
	errno = error;
	return rc;
}

int record_process(struct record *record, pid_t pid)
{
	char path[64];
	int rc = -1;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return -1;
	if (record_link(record, pid, process, "exe") != 0 || record_link(record, pid, process, "cwd") != 0 ||
	    record_link(record, pid, process, "root") != 0 ||
	    record_folder(record, pid, process, "fd", record_fd) != 0 ||
	    record_folder(record, pid, process, "map_files", record_map) != 0)
		goto fail;
	rc = 0;
fail:;
	int error = errno;
	close(process);
	errno = error;
	return rc;
}
