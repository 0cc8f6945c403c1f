# What both C parts are built with. CFLAGS and LDFLAGS from outside are added, as packagers expect.
OUT ?= ../../dist
SHARED := ../shared

WARN := -Wall -Wextra -Werror -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla
# Without the -U a compiler that sets a level of its own (Debian's, with dpkg-buildflags) warns about the second one.
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LINK := -Wl,-z,relro,-z,now -Wl,-z,noexecstack

# -fcf-protection is x86's.
ifeq ($(filter x86_64% i%86%,$(shell $(CC) -dumpmachine)),)
HARDEN := $(filter-out -fcf-protection,$(HARDEN))
endif

BASE := -std=gnu11 -O2 -g -D_GNU_SOURCE -I$(SHARED) $(WARN) $(HARDEN)
