/* answer NAME tcp/80 udp/9000-9002 ...: a server that says who answered and whom it saw.
 *
 * Every TCP connection and every UDP datagram is answered with one line:
 *     NAME <peer address> <peer port> <own address> <own port>
 * After its line a TCP connection echoes what it gets until the peer closes. IPv4 and IPv6 through one socket.
 * Static, so that it runs in an image that holds nothing but busybox. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMaxSockets = 4096 };
enum kind { kListener, kDatagram, kConnection };

static struct pollfd polled[kMaxSockets];
static enum kind kinds[kMaxSockets];
static nfds_t count;
static const char* name;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void add(int fd, enum kind kind) {
  if (count == kMaxSockets) {
    close(fd);
    return;
  }
  polled[count].fd = fd;
  polled[count].events = POLLIN;
  kinds[count++] = kind;
}

static void drop(nfds_t i) {
  close(polled[i].fd);
  polled[i] = polled[--count];
  kinds[i] = kinds[count];
}

/* Binds to the wildcard of both families, or of IPv4 alone where the kernel refuses IPv6. */
static int bound(int type, int port) {
  const int on = 1, off = 0;
  struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
  int fd = socket(AF_INET6, type, 0);
  if (fd >= 0) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    if (bind(fd, (struct sockaddr*)&any6, sizeof any6) == 0) return fd;
    close(fd);
  }
  struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  fd = socket(AF_INET, type, 0);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr*)&any4, sizeof any4) != 0) die("bind");
  return fd;
}

static void open_ports(const char* text) {
  int first, last;
  const int tcp = strncmp(text, "tcp/", 4) == 0;
  const int fields = sscanf(text + 4, "%d-%d", &first, &last);
  if (fields < 1) die(text);
  if (fields == 1) last = first;
  for (int port = first; port <= last; ++port) {
    const int fd = bound(tcp ? SOCK_STREAM : SOCK_DGRAM, port);
    if (tcp && listen(fd, 512) != 0) die("listen");
    add(fd, tcp ? kListener : kDatagram);
  }
}

static int port_of(const struct sockaddr_storage* address) {
  return ntohs(address->ss_family == AF_INET ? ((const struct sockaddr_in*)address)->sin_port
                                             : ((const struct sockaddr_in6*)address)->sin6_port);
}

static const char* text_of(const struct sockaddr_storage* address, char* buffer) {
  const void* raw = address->ss_family == AF_INET ? (const void*)&((const struct sockaddr_in*)address)->sin_addr
                                                  : (const void*)&((const struct sockaddr_in6*)address)->sin6_addr;
  inet_ntop(address->ss_family, raw, buffer, INET6_ADDRSTRLEN);
  return strncmp(buffer, "::ffff:", 7) == 0 ? buffer + 7 : buffer;
}

static int line_for(int fd, const struct sockaddr_storage* peer, char* line, size_t size) {
  char peer_text[INET6_ADDRSTRLEN], own_text[INET6_ADDRSTRLEN];
  struct sockaddr_storage own;
  socklen_t length = sizeof own;
  getsockname(fd, (struct sockaddr*)&own, &length);
  return snprintf(line, size, "%s %s %d %s %d\n", name, text_of(peer, peer_text), port_of(peer),
                  text_of(&own, own_text), port_of(&own));
}

static void accept_one(int listener) {
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  const int fd = accept(listener, (struct sockaddr*)&peer, &length);
  if (fd < 0) return;
  char line[256];
  const int size = line_for(fd, &peer, line, sizeof line);
  if (write(fd, line, (size_t)size) != size) {
    close(fd);
    return;
  }
  add(fd, kConnection);
}

/* Answers from the address the question was sent to, which is not always the one the kernel would choose. */
static void answer_datagram(int fd) {
  struct sockaddr_storage peer;
  char data[2048], line[256];
  union {
    struct cmsghdr align;
    char bytes[256];
  } control;
  struct iovec part = {data, sizeof data};
  struct msghdr message = {&peer, sizeof peer, &part, 1, control.bytes, sizeof control.bytes, 0};
  if (recvmsg(fd, &message, 0) < 0) return;
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
      ((struct in6_pktinfo*)CMSG_DATA(c))->ipi6_ifindex = 0; /* the route decides on the interface */
  part.iov_base = line;
  part.iov_len = (size_t)line_for(fd, &peer, line, sizeof line);
  sendmsg(fd, &message, 0);
}

static int echo(int fd) {
  char data[4096];
  const ssize_t got = read(fd, data, sizeof data);
  return got > 0 && write(fd, data, (size_t)got) == got;
}

static void serve(nfds_t i) {
  switch (kinds[i]) {
    case kListener: accept_one(polled[i].fd); break;
    case kDatagram: answer_datagram(polled[i].fd); break;
    case kConnection: if (!echo(polled[i].fd)) drop(i); break;
  }
}

static void leave(int signal_number) { _exit(128 + signal_number); }

int main(int argc, char** argv) {
  if (argc < 3) {
    fputs("usage: answer NAME tcp/PORT[-LAST] udp/PORT[-LAST] ...\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, leave); /* also as pid 1, where signals are ignored by default */
  signal(SIGINT, leave);
  name = argv[1];
  for (int i = 2; i < argc; ++i) open_ports(argv[i]);
  for (;;) {
    if (poll(polled, count, -1) < 0 && errno != EINTR) die("poll");
    for (nfds_t i = count; i-- > 0;)
      if (polled[i].revents) serve(i);
  }
}
