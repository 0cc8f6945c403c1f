/*
 * What a C program holds in the kernel: four threads that take turns, a POSIX timer that signals, a timerfd in an
 * epoll set, an eventfd, a socket pair with bytes under way, a deleted file. Counts by the timerfd until its finish
 * file is there, looks whether all of it is as it was left, and ends by SIGUSR2.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long turns[THREADS];
static int turn;
static volatile sig_atomic_t alarms;

static void on_alarm(int number) {
  (void)number;
  alarms++;
}

static void *take_turns(void *argument) {
  intptr_t self = (intptr_t)argument;
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (turn != self) pthread_cond_wait(&changed, &mutex);
    turns[self]++;
    turn = (turn + 1) % THREADS;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    usleep(1000);
  }
  return NULL;
}

static void must(int holds, const char *what) {
  if (holds) return;
  printf("%s\n", what);
  exit(1);
}

int main(void) {
  setlinebuf(stdout);
  printf("start on %s\n", getenv("SLURMD_NODENAME"));
  char finish[64];
  snprintf(finish, sizeof finish, "/shared/finish-%s", getenv("SLURM_JOB_ID"));

  signal(SIGALRM, on_alarm);
  struct itimerspec tenth = {{0, 100000000}, {0, 100000000}};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
  timer_t alarm_timer;
  must(timer_create(CLOCK_MONOTONIC, &event, &alarm_timer) == 0, "timer_create");
  timer_settime(alarm_timer, 0, &tenth, NULL);

  int timer = timerfd_create(CLOCK_MONOTONIC, 0), epoll = epoll_create1(0), counter = eventfd(7, 0);
  timerfd_settime(timer, 0, &tenth, NULL);
  struct epoll_event ready = {.events = EPOLLIN, .data.fd = timer};
  must(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &ready) == 0, "epoll_ctl");
  int pair[2];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && write(pair[0], "hello", 5) == 5, "socketpair");
  FILE *deleted = tmpfile();
  must(deleted != NULL && fputs("kept", deleted) >= 0 && fflush(deleted) == 0, "tmpfile");
  for (intptr_t i = 0; i < THREADS; i++) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, take_turns, (void *)i) == 0, "pthread_create");
  }

  int i = 0;
  while (access(finish, F_OK) != 0) {
    uint64_t ticks = 0;
    /* Both timers go off at once: the signal interrupts the wait. */
    if (epoll_wait(epoll, &ready, 1, 2000) != 1 || ready.data.fd != timer) continue;
    must(read(timer, &ticks, sizeof ticks) == sizeof ticks && ticks > 0, "the timerfd is broken");
    printf("i=%d\n", ++i);
  }

  char text[8] = "";
  uint64_t count = 0;
  must(read(pair[1], text, 5) == 5 && strcmp(text, "hello") == 0, "the socket pair lost its bytes");
  must(read(counter, &count, sizeof count) == sizeof count && count == 7, "the eventfd lost its count");
  must(alarms >= i / 2, "the POSIX timer did not go on");
  rewind(deleted);
  must(fgets(text, sizeof text, deleted) != NULL && strcmp(text, "kept") == 0, "the deleted file is lost");
  pthread_mutex_lock(&mutex);
  for (int k = 1; k < THREADS; k++)
    must(turns[k] > 0 && labs(turns[k] - turns[0]) <= 1, "a thread lost its turn");
  printf("last=%d\n", i);
  raise(SIGUSR2);
  return 0;
}
