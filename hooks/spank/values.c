#include "values.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SECONDS 10LL
#define MAX_SECONDS (7 * 24 * 3600LL)

static const char SPACE[] = " \t\n\v\f\r";

/* Without the space around, in lower case. -1 if that is too long for any value. */
static int tidy(const char *text, char *value)
{
	if (!text)
		return -1;
	text += strspn(text, SPACE);
	size_t length = strlen(text);
	while (length > 0 && strchr(SPACE, text[length - 1]))
		length--;
	if (length == 0 || length >= VALUE_MAX)
		return -1;
	/* Not tolower: that asks the locale. */
	for (size_t i = 0; i < length; i++)
		value[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i];
	value[length] = '\0';
	return 0;
}

static long long seconds_of(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	default:
		return 0;
	}
}

int value_interval(const char *text, char *value)
{
	char tidied[VALUE_MAX];
	if (tidy(text, tidied) != 0)
		return -1;
	size_t digits = strspn(tidied, "0123456789");
	const char *unit = tidied + digits + strspn(tidied + digits, SPACE);
	if (digits < 1 || digits > 7 || unit[0] == '\0' || unit[1] != '\0')
		return -1;
	long long seconds = atoll(tidied) * seconds_of(unit[0]);
	if (seconds < MIN_SECONDS || seconds > MAX_SECONDS)
		return -1;
	snprintf(value, VALUE_MAX, "%lld%c", atoll(tidied), unit[0]);
	return 0;
}

int value_kind(const char *text, char *value)
{
	static const char *const kinds[] = {"simple", "rootfs", "rootfsonly"};
	char tidied[VALUE_MAX];
	if (tidy(text, tidied) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(tidied, kinds[i]) == 0) {
			snprintf(value, VALUE_MAX, "%s", kinds[i]);
			return 0;
		}
	}
	return -1;
}
