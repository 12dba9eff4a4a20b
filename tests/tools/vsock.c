/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vsock: both ends of a test of vsock devices; busybox knows the family not.
 *
 *     vsock listen PORT         gives back what one peer sends, until that has said all
 *     vsock connect CID PORT    sends standard input, and prints what comes back
 */
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* One buffer's worth after the other, until `from` ends. */
static int copy(int from, int to)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(to, buffer + done, (size_t)(n - done));
			if (w <= 0)
				return -1;
		}
	return n < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (argc < 3 || fd < 0)
		return fail("vsock listen PORT | connect CID PORT");
	address.svm_port = (unsigned)atoi(argv[argc - 1]);
	if (!strcmp(argv[1], "listen")) {
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
			return fail("listen");
		int peer = accept(fd, NULL, NULL);
		return peer < 0 || copy(peer, peer) < 0 ? fail("accept") : 0;
	}
	address.svm_cid = (unsigned)atoi(argv[2]);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail("connect");
	if (copy(STDIN_FILENO, fd) < 0 || shutdown(fd, SHUT_WR) < 0 || copy(fd, STDOUT_FILENO) < 0)
		return fail("copy");
	return 0;
}
