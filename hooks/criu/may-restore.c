#include "may-restore.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "arguments.h"
#include "enter.h"
#include "owner.h"
#include "wait-status.h"

/* So many are named, the others counted. */
#define NAMED 3

static const char *reason(int error)
{
	switch (error) {
	case ENOENT:
		return "it is gone";
	case EACCES:
	case EPERM:
		return "the job's owner has no permission";
	case EROFS:
		return "its file system is read-only";
	case ETXTBSY:
		return "it is a program that runs";
	default:
		return strerror(error);
	}
}

static const char *may(const char *path, int mode)
{
	return access(path, mode) == 0 ? NULL : reason(errno);
}

/* Where a folder is gone, CRIU takes the one above, or makes it anew for a socket. */
static const char *may_make_in_folder_of(char *path)
{
	for (;;) {
		char *slash = strrchr(path, '/');
		if (slash == path)
			return may("/", W_OK | X_OK);
		*slash = '\0';
		if (access(path, W_OK | X_OK) == 0)
			return NULL;
		if (errno != ENOENT)
			return reason(errno);
	}
}

static const char *may_bind(char *path)
{
	struct stat there;
	if (lstat(path, &there) == 0) {
		if (!S_ISSOCK(there.st_mode))
			return "what is there is no socket";
		if (there.st_uid != getuid())
			return "another user's socket is there";
	} else if (errno != ENOENT) {
		return reason(errno);
	}
	return may_make_in_folder_of(path);
}

static const char *may_connect(const char *path)
{
	struct stat there;
	if (stat(path, &there) != 0)
		return reason(errno);
	return S_ISSOCK(there.st_mode) ? may(path, W_OK) : "what is there is no socket";
}

/* False for what is no entry. */
static bool look_at(const char *how, char *path, const char **why)
{
	static const struct {
		const char *how;
		int mode;
	} FILES[] = {{"read", R_OK}, {"write", W_OK}, {"both", R_OK | W_OK}, {"pass", X_OK}, {"reach", F_OK}};

	if (!path || path[0] != '/')
		return false;
	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
		if (strcmp(how, FILES[i].how) == 0) {
			*why = may(path, FILES[i].mode);
			return true;
		}
	if (strcmp(how, "make") == 0)
		*why = may_make_in_folder_of(path);
	else if (strcmp(how, "bind") == 0)
		*why = may_bind(path);
	else if (strcmp(how, "connect") == 0)
		*why = may_connect(path);
	else
		return false;
	return true;
}

/* Looks at all that standard input names, as the owner. Its exit status. */
static int look(const struct owner *owner)
{
	unsigned long count = 0, wrong = 0;
	size_t size = 0;
	char *text = NULL;
	ssize_t length;

	if (owner_become(owner) != 0 || chdir("/") != 0) {
		fprintf(stderr, "ckptd-criu may-restore: cannot become uid %u: %s\n", owner->uid, strerror(errno));
		return EX_NOPERM;
	}
	while ((length = getdelim(&text, &size, '\0', stdin)) > 0) {
		char *path = text, *how = strsep(&path, " ");
		const char *why = NULL;
		/* The look may shorten it. */
		char *name = path ? strdup(path) : NULL;
		if (text[length - 1] != '\0' || !look_at(how, path, &why)) {
			fprintf(stderr, "ckptd-criu may-restore: entry %lu of its input is none\n", count + 1);
			free(name);
			free(text);
			return EX_DATAERR;
		}
		count++;
		if (why && wrong++ < NAMED)
			printf("%s%s: %s", wrong > 1 ? "; " : "", name ? name : "", why);
		free(name);
	}
	free(text);
	if (!feof(stdin))
		return EX_IOERR;
	if (wrong > NAMED)
		printf(" and %lu more", wrong - NAMED);
	if (wrong == 0)
		printf("ok %lu\n", count);
	return fflush(stdout) != 0 ? EX_IOERR : wrong > 0;
}

int may_restore_main(int argc, char **argv)
{
	struct arguments arguments;
	int status;

	if (arguments_parse(argc, argv, "--groups --inside ", &arguments) != 0)
		return EX_USAGE;
	if (arguments.inside > 0 && enter(arguments.inside) != 0)
		return EX_OSERR;
	/* A process is in the pid namespace that its parent entered, and /proc there knows no other. */
	pid_t pid = fork();
	if (pid == 0)
		exit(look(&arguments.owner));
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0) {
		fprintf(stderr, "ckptd-criu may-restore: cannot fork: %s\n", strerror(errno));
		return EX_OSERR;
	}
	end_like(status);
}
