/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal: see terminal.h, and termios(3). */
#include "cli/terminal.h"

void terminal_raw(struct terminal *terminal, int fd)
{
	struct termios raw;

	*terminal = (struct terminal){.fd = fd};
	if (tcgetattr(fd, &terminal->saved) < 0)
		return;
	raw = terminal->saved;
	cfmakeraw(&raw);
	raw.c_oflag = terminal->saved.c_oflag;
	/* TCSADRAIN, not TCSAFLUSH: what was typed ahead is meant for the guest. */
	terminal->raw = tcsetattr(fd, TCSADRAIN, &raw) == 0;
}

void terminal_restore(struct terminal *terminal)
{
	if (terminal->raw)
		tcsetattr(terminal->fd, TCSADRAIN, &terminal->saved);
	terminal->raw = false;
}
