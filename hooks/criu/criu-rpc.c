#include "criu-rpc.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* criu_req_type */
enum { RESTORE = 2, NOTIFY = 6 };
/* Fields of criu_req, criu_opts, criu_resp, criu_notify and criu_restore_resp. */
enum { REQ_TYPE = 1, REQ_OPTS = 2, REQ_NOTIFY_SUCCESS = 3 };
enum { OPTS_IMAGES_FD = 1, OPTS_NOTIFY = 12, OPTS_SIBLING = 26, OPTS_UNPRIVILEGED = 67, OPTS_IMAGES = 68, OPTS_LOG_TO_STDERR = 71 };
enum { RESP_TYPE = 1, RESP_SUCCESS = 2, RESP_RESTORE = 4, RESP_NOTIFY = 5, RESP_MESSAGE = 9 };
enum { NOTIFY_SCRIPT = 1, RESTORE_PID = 1 };
/* How a field is written down. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static char *put_varint(char *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = (char)(value | 0x80);
	*to++ = (char)value;
	return to;
}

static char *put_number(char *to, unsigned field, uint64_t value)
{
	return put_varint(put_varint(to, field << 3 | VARINT), value);
}

static char *put_bytes(char *to, unsigned field, const char *bytes, size_t length)
{
	to = put_varint(put_varint(to, field << 3 | BYTES), length);
	memcpy(to, bytes, length);
	return to + length;
}

size_t criu_rpc_restore(char *buffer, int images, bool unprivileged, bool sibling)
{
	char opts[128], path[40], *to = opts;
	int length = snprintf(path, sizeof(path), "/proc/self/fd/%d", images);

	/* By its path, since CRIU would take a descriptor's number from a process that it may not look into: root's. */
	to = put_number(to, OPTS_IMAGES_FD, UINT64_MAX);
	to = put_bytes(to, OPTS_IMAGES, path, (size_t)length);
	to = put_number(to, OPTS_NOTIFY, 1);
	to = put_number(to, OPTS_SIBLING, sibling);
	to = put_number(to, OPTS_UNPRIVILEGED, unprivileged);
	to = put_number(to, OPTS_LOG_TO_STDERR, 1);
	char *end = put_bytes(put_number(buffer, REQ_TYPE, RESTORE), REQ_OPTS, opts, (size_t)(to - opts));
	return (size_t)(end - buffer);
}

size_t criu_rpc_answer(char *buffer, bool go_on)
{
	return (size_t)(put_number(put_number(buffer, REQ_TYPE, NOTIFY), REQ_NOTIFY_SUCCESS, go_on) - buffer);
}

struct field {
	uint64_t number;
	uint64_t value;    /* of a number */
	const char *bytes; /* of anything else */
	size_t length;
};

static bool take_varint(const char **from, const char *end, uint64_t *value)
{
	*value = 0;
	for (int shift = 0; shift < 64; shift += 7) {
		if (*from == end)
			return false;
		unsigned char byte = (unsigned char)*(*from)++;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

static bool take_field(const char **from, const char *end, struct field *field)
{
	uint64_t key;
	memset(field, 0, sizeof(*field));
	if (!take_varint(from, end, &key))
		return false;
	field->number = key >> 3;
	uint64_t length = (key & 7) == FIXED64 ? 8 : 4;
	switch (key & 7) {
	case VARINT:
		return take_varint(from, end, &field->value);
	case BYTES:
		if (!take_varint(from, end, &length))
			return false;
		break;
	case FIXED64:
	case FIXED32:
		break;
	default:
		return false;
	}
	if (length > (uint64_t)(end - *from))
		return false;
	field->bytes = *from;
	field->length = (size_t)length;
	*from += length;
	return true;
}

static void copy(char *to, size_t size, const struct field *field)
{
	size_t length = field->length < size ? field->length : size - 1;
	for (size_t i = 0; i < length; i++)
		to[i] = field->bytes[i] >= ' ' && field->bytes[i] < 127 ? field->bytes[i] : '?';
	to[length] = '\0';
}

/* The first field of this number in a nested message. */
static bool find(const struct field *in, uint64_t number, struct field *found)
{
	const char *from = in->bytes, *end = from + in->length;
	while (from && from < end && take_field(&from, end, found))
		if (found->number == number)
			return true;
	return false;
}

int criu_rpc_read(const char *buffer, size_t length, struct criu_says *says)
{
	const char *from = buffer, *end = buffer + length;
	struct field field, nested;
	uint64_t type = 0;
	bool has_success = false;

	memset(says, 0, sizeof(*says));
	while (from < end) {
		if (!take_field(&from, end, &field))
			return -1;
		if (field.number == RESP_TYPE)
			type = field.value;
		else if (field.number == RESP_SUCCESS) {
			has_success = true;
			says->success = field.value == 1;
		} else if (field.number == RESP_MESSAGE && field.bytes)
			copy(says->message, sizeof(says->message), &field);
		else if (field.number == RESP_NOTIFY && find(&field, NOTIFY_SCRIPT, &nested) && nested.bytes)
			copy(says->script, sizeof(says->script), &nested);
		else if (field.number == RESP_RESTORE && find(&field, RESTORE_PID, &nested) && nested.value <= INT32_MAX)
			says->pid = (pid_t)nested.value;
	}
	says->is_notify = type == NOTIFY;
	return has_success ? 0 : -1;
}
