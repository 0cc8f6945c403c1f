#ifndef CKPTD_VALUES_H
#define CKPTD_VALUES_H

#define VALUE_MAX 16

/*
 * The rules are those of the daemon that reads the values in the end (readOverride): space around and upper case do
 * not matter. 0 with the value as it goes on, in VALUE_MAX bytes; -1 if it is none.
 */

/* A number and s, m, h or d, between 10 s and 7 d. */
int value_interval(const char *text, char *value);

/* simple, rootfs or rootfsonly. */
int value_kind(const char *text, char *value);

#endif
