/* SPDX-License-Identifier: BSD-3-Clause */
/* ptptime: the seconds since 1970 that a PTP clock shows: ptptime /dev/ptp0 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

/* A clock device's descriptor as a clock (Linux, Documentation/driver-api/ptp.rst). */
#define CLOCKFD		  3
#define FD_TO_CLOCKID(fd) ((~(clockid_t)(fd) << 3) | CLOCKFD)

int main(int argc, char **argv)
{
	struct timespec t;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 || clock_gettime(FD_TO_CLOCKID(fd), &t) < 0) {
		perror("ptptime");
		return 1;
	}
	return printf("%lld\n", (long long)t.tv_sec) < 0;
}
