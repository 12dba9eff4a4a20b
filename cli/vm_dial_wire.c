/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_dial_wire: see vm_dial_wire.h; and the VMM's side of vm_dial.h, which needs nothing else. */
#include "cli/vm_dial_wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/vm_dial.h"

#define ANSWER_MS 2000

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int vm_dial_send(int fd, const void *bytes, size_t len, int pass)
{
	union control control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (pass >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		control.head = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS,
						.cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(&control.head), &pass, sizeof(pass));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

ssize_t vm_dial_receive(int fd, int flags, void *bytes, size_t size, int *passed)
{
	union control control;
	struct iovec iov = {.iov_base = bytes, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);

	*passed = -1;
	if (n < 0)
		return -errno;
	const struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len >= CMSG_LEN(sizeof(int)))
		memcpy(passed, CMSG_DATA(head), sizeof(*passed));
	return n;
}

static int wait_answer(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int32_t status = -EPROTO;
	int peer = -1, ready = poll(&wait, 1, ANSWER_MS);

	if (ready <= 0)
		return ready ? -errno : -ETIMEDOUT;
	ssize_t n = vm_dial_receive(fd, MSG_DONTWAIT, &status, sizeof(status), &peer);
	if (n == 0)
		return -EPIPE; /* it went away with the question */
	if (n != sizeof(status) || status || peer < 0) {
		io_close(&peer);
		return n < 0 ? (int)n : status < 0 ? status : -EPROTO;
	}
	return peer;
}

int vm_dial_ask(int fd, const char *path)
{
	int pair[2];

	if (strlen(path) >= VM_DIAL_PATH)
		return -ENAMETOOLONG;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	int err = vm_dial_send(fd, path, strlen(path), pair[1]);
	io_close(&pair[1]);
	int peer = err ? err : wait_answer(pair[0]);
	io_close(&pair[0]);
	return peer;
}
