import { execa } from 'execa';

/**
 * execa without its listeners for signals: one that came just as they are taken away, at the end of a command, would
 * be lost, and a Ctrl-C with it. Nothing that the lab runs needs them: it is short, or dies with its container.
 */
export const exec = execa({ cleanup: false });
