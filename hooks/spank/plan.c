#include "plan.h"

#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place. -1 for what is no percent-encoding, or a NUL. */
static int decode(char *text)
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		int high = hex(from[1]), low = high < 0 ? -1 : hex(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -1;
		*to++ = (char)(high * 16 + low);
		from += 2;
	}
	*to = '\0';
	return 0;
}

static int is_uuid(const char *text)
{
	for (int i = 0; i < 36; i++) {
		int dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : hex(text[i]) < 0)
			return 0;
	}
	return text[36] == '\0';
}

/* NULL, or what is wrong. */
static const char *take_line(char *line, struct plan *plan)
{
	if (strncmp(line, "action ", 7) == 0) {
		if (plan->action[0] || plan->argc > 0 || !is_uuid(line + 7))
			return "its action is no UUID, or not its first line";
		memcpy(plan->action, line + 7, sizeof(plan->action));
		return NULL;
	}
	if (strncmp(line, "arg ", 4) != 0)
		return "a line of it is neither an action nor an argument";
	if (plan->argc == PLAN_MAX_ARGS)
		return "it has too many arguments";
	if (decode(line + 4) != 0)
		return "an argument is not percent-encoded";
	plan->argv[plan->argc] = strdup(line + 4);
	if (!plan->argv[plan->argc])
		return "no memory for it";
	plan->argc++;
	return NULL;
}

int plan_parse(char *text, size_t length, struct plan *plan, const char **why)
{
	memset(plan, 0, sizeof(*plan));
	*why = NULL;
	if (strlen(text) != length) {
		*why = "there is a NUL in it";
		return -1;
	}
	plan->argv = calloc(PLAN_MAX_ARGS + 1, sizeof(*plan->argv));
	if (!plan->argv)
		*why = "no memory for it";
	for (char *line; !*why && (line = strsep(&text, "\n"));)
		/* The last line ends as the others do. */
		if (line[0] != '\0' || text)
			*why = take_line(line, plan);
	if (!*why && (!plan->action[0] || plan->argc == 0 || plan->argv[0][0] != '/'))
		*why = "it names no action, or no command with an absolute path";
	if (!*why)
		return 0;
	plan_free(plan);
	return -1;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; plan->argv && i < plan->argc; i++)
		free(plan->argv[i]);
	free(plan->argv);
	memset(plan, 0, sizeof(*plan));
}
