#include "http-head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

size_t http_head_length(const char *text, size_t length)
{
	const char *end = memmem(text, length, "\r\n\r\n", 4);
	return end ? (size_t)(end - text) + 4 : 0;
}

static int wrong(struct http_head *parsed, const char *error)
{
	parsed->error = error;
	return -1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int parse_status(const char *line, struct http_head *parsed)
{
	if (strncmp(line, "HTTP/1.1 ", 9) != 0 && strncmp(line, "HTTP/1.0 ", 9) != 0)
		return wrong(parsed, "it does not begin with a status line");
	const char *code = line + 9;
	if (!is_digit(code[0]) || !is_digit(code[1]) || !is_digit(code[2]) || (code[3] != ' ' && code[3] != '\0'))
		return wrong(parsed, "its status is no number");
	parsed->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
	if (parsed->status < 200 || parsed->status > 599)
		return wrong(parsed, "its status is none of an answer");
	return 0;
}

/* Digits only: strtoul would take a sign and leading space. */
static int parse_length(const char *text, struct http_head *parsed)
{
	size_t length = 0;
	text += strspn(text, " \t");
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9 || text[digits + strspn(text + digits, " \t")] != '\0')
		return wrong(parsed, "its Content-Length is no number, or a very large one");
	for (size_t i = 0; i < digits; i++)
		length = length * 10 + (size_t)(text[i] - '0');
	parsed->length = length;
	return 0;
}

int http_head_parse(char *head, size_t length, struct http_head *parsed)
{
	bool first = true, known = false;

	memset(parsed, 0, sizeof(*parsed));
	/* As text: up to the end of the last line, without the empty one. */
	head[length - 2] = '\0';
	if (strlen(head) != length - 2)
		return wrong(parsed, "there is a NUL in its head");
	for (char *line = head, *next; *line; line = next, first = false) {
		/* Always there: the last line ends as the others do. */
		char *end = strstr(line, "\r\n");
		if (!end)
			return wrong(parsed, "a line of its head has no end");
		next = end + 2;
		*end = '\0';
		if (first) {
			if (parse_status(line, parsed) != 0)
				return -1;
		} else if (strncasecmp(line, "Transfer-Encoding:", 18) == 0) {
			return wrong(parsed, "it has a Transfer-Encoding");
		} else if (strncasecmp(line, "Content-Length:", 15) == 0) {
			if (known)
				return wrong(parsed, "it has two Content-Lengths");
			if (parse_length(line + 15, parsed) != 0)
				return -1;
			known = true;
		}
	}
	if (first)
		return wrong(parsed, "it does not begin with a status line");
	if (parsed->status == 204)
		parsed->length = 0;
	else if (!known)
		return wrong(parsed, "it has no Content-Length");
	return 0;
}
