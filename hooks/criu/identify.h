#ifndef CKPTD_IDENTIFY_H
#define CKPTD_IDENTIFY_H

/*
 * `identify`: whether the owner of a restored job could have opened himself what its processes hold. CRIU opened it as
 * root, along paths that the owner could lead elsewhere meanwhile. Standard input has `ACCESS DEV INO PATH` of each
 * thing, with a NUL behind it; ACCESS is read, write, both, path (to be there, or to be a working directory), or run
 * (to be read, or else executed). What is found along the path, inside the namespaces of `--inside PID` and with the owner's rights alone, must be that
 * very file, and open the same way.
 *
 * Exits with 0 and `ok COUNT`, with 1 and the first paths that are not so, or with a sysexits code.
 */
int identify_main(int argc, char **argv);

#endif
