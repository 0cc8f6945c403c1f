#ifndef CKPTD_HTTP_HEAD_H
#define CKPTD_HTTP_HEAD_H

#include <stddef.h>

#define HTTP_HEAD_MAX 8192

struct http_head {
	int status;
	size_t length;     /* of the body */
	const char *error; /* what is wrong with it */
};

/* Where the body begins: after the empty line. 0 as long as there is none. */
size_t http_head_length(const char *text, size_t length);

/*
 * Parses the status line and what says how long the body is, in the first `length` bytes of `head`, which holds one
 * byte more to write on. 0, or -1 with `error`. Only a plain Content-Length is understood: anything else that would
 * change what the body is (a transfer encoding, two lengths) is an error, not a guess.
 */
int http_head_parse(char *head, size_t length, struct http_head *parsed);

#endif
