/* A disk that fails, between a program and its C library (LD_PRELOAD).
 *
 * FAULT_OPEN=PART and FAULT_ERROR=NUMBER: opening a file whose path holds PART fails so.
 * FAULT_ROOM=BYTES and FAULT_UNDER=PART: files whose path holds PART take so many bytes in all, then
 * the disk is full. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int refused(const char *path) {
    const char *part = getenv("FAULT_OPEN");
    if (part == NULL || path == NULL || strstr(path, part) == NULL) return 0;
    errno = atoi(getenv("FAULT_ERROR"));
    return 1;
}

#define OPEN(name)                                                            \
    int name(const char *path, int flags, ...) {                              \
        static int (*real)(const char *, int, ...);                           \
        if (real == NULL) real = dlsym(RTLD_NEXT, #name);                     \
        va_list more;                                                         \
        va_start(more, flags);                                                \
        mode_t mode = va_arg(more, mode_t);                                   \
        va_end(more);                                                         \
        return refused(path) ? -1 : real(path, flags, mode);                  \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                          \
    int name(int at, const char *path, int flags, ...) {                      \
        static int (*real)(int, const char *, int, ...);                      \
        if (real == NULL) real = dlsym(RTLD_NEXT, #name);                     \
        va_list more;                                                         \
        va_start(more, flags);                                                \
        mode_t mode = va_arg(more, mode_t);                                   \
        va_end(more);                                                         \
        return refused(path) ? -1 : real(at, path, flags, mode);              \
    }
OPENAT(openat)
OPENAT(openat64)

static atomic_long used;

/* Bytes of `wanted` that still fit. */
static size_t room(int file, size_t wanted) {
    const char *under = getenv("FAULT_UNDER"), *limit = getenv("FAULT_ROOM");
    if (under == NULL || limit == NULL) return wanted;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return wanted;
    path[length] = 0;
    if (strstr(path, under) == NULL) return wanted;
    long left = atol(limit) - atomic_fetch_add(&used, (long)wanted);
    if (left <= 0) return 0;
    return (size_t)left < wanted ? (size_t)left : wanted;
}

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "write");
    size_t fits = room(file, count);
    if (fits == 0 && count > 0) {
        errno = ENOSPC;
        return -1;
    }
    return real(file, bytes, fits);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (real == NULL) real = dlsym(RTLD_NEXT, "writev");
    size_t wanted = 0;
    for (int i = 0; i < count; i++) wanted += parts[i].iov_len;
    if (room(file, wanted) < wanted) {
        errno = ENOSPC;
        return -1;
    }
    return real(file, parts, count);
}
