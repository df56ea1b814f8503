# cassandra-prober. `make` leaves everything in build/; see README.md.
#
#   make            prober-collector, proberctl and ngx_http_prober_module.so (for the nginx whose -dev files are installed)
#   make check      unit tests plain and under ASan+UBSan and TSan, the *.t tests, a short fuzz run
#   make unit|prove|fuzz-smoke   its parts
#   make screenshots   of the page, into doc/images (Chromium)
#   make bench      ratios measured side by side        make soak   what takes longer than CI may
#   make install    into the distribution's directories  make format, make clean
#   make deb, make rpm   packages of what is committed, into build/deb and build/rpm
#
# SAN=asan or SAN=tsan builds the C programs with a sanitizer into build/asan or build/tsan.

VERSION := 0.1.0
CC ?= cc
CLANG ?= clang
SAN ?=
BUILD := build$(if $(SAN),/$(SAN))

PKGS := libsystemd libcurl jansson libconfig libmicrohttpd
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
OPT ?= -O2 -g
SANFLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANFLAGS_tsan := -fsanitize=thread
SANFLAGS := $(SANFLAGS_$(SAN))
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE)
CPPFLAGS += -D_GNU_SOURCE -DPROBER_VERSION='"$(VERSION)"' -Ishared -Icollector
CFLAGS_ALL = -std=gnu11 $(OPT) $(WARN) $(HARDEN) $(SANFLAGS) $(CFLAGS) $(shell pkg-config --cflags $(PKGS))
LDFLAGS_ALL = $(if $(SAN),,-pie -Wl,-z,relro,-z,now) $(SANFLAGS) $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS)) -lm -lpthread

SHARED_SRC := $(wildcard shared/*.c)
PAGE := $(wildcard collector/publish/page/*)
LIB_SRC := $(SHARED_SRC) build/gen/page_document.c $(filter-out collector/main.c,$(wildcard collector/*.c collector/*/*.c))
CTL_SRC := $(wildcard proberctl/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
UNIT := $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/test_*.c))
TOOLS := $(patsubst t/lib/%.c,$(BUILD)/tools/%,$(wildcard t/lib/*.c))
PRELOAD := $(patsubst t/preload/%.c,build/preload/%.so,$(wildcard t/preload/*.c))
FUZZ := $(patsubst t/fuzz/%.c,build/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))

all: $(BUILD)/prober-collector $(BUILD)/proberctl $(if $(SAN),,build/ngx_http_prober_module.so)
tools: $(TOOLS) $(PRELOAD)

$(BUILD)/libprober.a: $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/prober-collector: $(BUILD)/obj/collector/main.o $(BUILD)/libprober.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/proberctl: $(CTL_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/libprober.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

# The page is one document of one file, which says by their hashes which script and style are its own.
build/gen/page_document.c: $(PAGE)
	@mkdir -p $(@D)
	sh collector/publish/page/assemble collector/publish/page >build/gen/page.html.new
	mv build/gen/page.html.new build/gen/page.html
	{ echo '#include "publish/page_document.h"'; echo 'const unsigned char page_document[] = {'; \
	    od -An -v -tx1 build/gen/page.html | sed 's/ \(..\)/0x\1,/g'; echo '};'; \
	    echo 'const size_t page_document_len = sizeof(page_document);'; } >$@.new
	mv $@.new $@

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%: t/unit/%.c $(BUILD)/libprober.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -It/unit $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< $(BUILD)/libprober.a -lcmocka $(LIBS) -lpthread

$(BUILD)/tools/%: t/lib/%.c $(BUILD)/libprober.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP $(LDFLAGS_ALL) -o $@ $< $(BUILD)/libprober.a $(LIBS) -lpthread

build/preload/%.so: t/preload/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu11 $(OPT) $(WARN) -fPIC -shared -o $@ $<

# Fuzz targets are built by clang, and the code under test with them, so that coverage reaches into it.
FUZZFLAGS := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(FUZZFLAGS) -fsanitize=fuzzer-no-link $(shell pkg-config --cflags $(PKGS)) -MMD -MP -c -o $@ $<

build/fuzz/libprober.a: $(patsubst %.c,build/fuzz/obj/%.o,$(LIB_SRC) $(filter-out %/main.c,$(CTL_SRC)))
	rm -f $@ && $(AR) rcs $@ $^

build/fuzz/%: t/fuzz/%.c build/fuzz/libprober.a
	$(CLANG) $(CPPFLAGS) $(FUZZFLAGS) -fsanitize=fuzzer $(shell pkg-config --cflags $(PKGS)) -o $@ $< build/fuzz/libprober.a $(LIBS)

# The nginx module, out of tree, by the configure script that nginx's -dev files bring. With another
# nginx: make NGX_SRC=DIR, its configured or unpacked source.
NGX_SRC ?= /usr/share/nginx/src
NGX_CC_OPT := -g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 -Wformat -Wshadow -Werror
NGX_LD_OPT := -Wl,-z,relro -Wl,-z,now -fPIC

build/nginx/Makefile: config
	@mkdir -p $(@D)
	cd $(NGX_SRC) && bash -c 'NGX_CONF_FLAGS=(--with-compat); [ ! -f conf_flags ] || . ./conf_flags; \
	    ./configure "$${NGX_CONF_FLAGS[@]}" \
	    --with-cc-opt="$(NGX_CC_OPT)" --with-ld-opt="$(NGX_LD_OPT)" \
	    --add-dynamic-module=$(CURDIR) --builddir=$(CURDIR)/$(@D) > $(CURDIR)/$(@D)/configure.log' \
	    || { tail -20 $(CURDIR)/$(@D)/configure.log; rm -f $(CURDIR)/$@; exit 1; }

build/ngx_http_prober_module.so: build/nginx/Makefile $(wildcard ngx_prober_module/*.[ch]) \
    shared/prober_addr.c shared/prober_addr.h shared/prober_segment.h \
    shared/prober_segment_reader.c shared/prober_segment_reader.h
	$(MAKE) -f $(CURDIR)/build/nginx/Makefile -C $(NGX_SRC) modules
	cp build/nginx/$(@F) $@.new && mv $@.new $@ # never overwrite a file that a running nginx has mapped

-include $(shell find build -path build/boot -prune -o -name '*.d' -type f -print 2>/dev/null)

# Everything the tests run, plain and with sanitizers.
test-programs: tools unit-programs fuzz-programs
	$(MAKE) SAN=asan build/asan/prober-collector build/asan/proberctl unit-programs tools
	$(MAKE) SAN=tsan unit-programs
unit-programs: $(UNIT)
fuzz-programs: $(FUZZ)

check: all test-programs
	prove --timer $(filter-out $(wildcard t/cluster_*.t),$(wildcard t/*.t))
unit: test-programs
	prove t/unit.t
fuzz-smoke: fuzz-programs
	prove t/fuzz.t
screenshots: all
	t/screenshots
bench: all tools
	t/bench/run
soak: all test-programs
	t/soak

# The distribution's directories; DESTDIR= for packages. An existing configuration stays. NGX_SO is the module
# to install; packages build theirs with the distribution's own helpers.
UNITDIR ?= /lib/systemd/system
NGX_MODULES ?= /usr/lib/nginx/modules
NGX_SO ?= build/ngx_http_prober_module.so
SHARE := $(DESTDIR)/usr/share
install: install-collector install-module

install-collector: $(BUILD)/prober-collector $(BUILD)/proberctl
	install -D build/prober-collector $(DESTDIR)/usr/sbin/prober-collector
	install -D build/proberctl $(DESTDIR)/usr/bin/proberctl
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)/usr/lib/sysusers.d $(SHARE)/doc/cassandra-prober/examples
	install -m 644 $(wildcard systemd/*.service systemd/*.path) $(DESTDIR)$(UNITDIR)/
	for file in $(wildcard systemd/*.d/*.conf); do \
	    install -D -m 644 $$file $(DESTDIR)$(UNITDIR)/$${file#systemd/} || exit; done
	for file in $(wildcard packaging/polkit/*.rules); do \
	    install -D -m 644 $$file $(SHARE)/polkit-1/rules.d/$${file##*/} || exit; done
	install -m 644 systemd/cassandra-prober.sysusers $(DESTDIR)/usr/lib/sysusers.d/cassandra-prober.conf
	install -m 644 ARCHITECTURE.md $(SHARE)/doc/cassandra-prober/
	for file in README.md $(wildcard doc/*.md); do \
	    sed 's,](doc/,](,g; s,](\.\./,](,g' $$file >$(SHARE)/doc/cassandra-prober/$${file##*/} && \
	    chmod 644 $(SHARE)/doc/cassandra-prober/$${file##*/} || exit; done
	for file in $(wildcard doc/images/*); do \
	    install -D -m 644 $$file $(SHARE)/doc/cassandra-prober/images/$${file##*/} || exit; done
	for file in $(wildcard systemd/*.tmpfiles); do \
	    install -D -m 644 $$file $(DESTDIR)/usr/lib/tmpfiles.d/$$(basename $$file .tmpfiles).conf || exit; done
	for file in $(wildcard systemd/*.catalog); do \
	    install -D -m 644 $$file $(DESTDIR)/usr/lib/systemd/catalog/$${file##*/} || exit; done
	for page in $(filter-out man/ngx_%,$(wildcard man/*.[158])); do \
	    install -D -m 644 $$page $(SHARE)/man/man$${page##*.}/$${page##*/} || exit; done
	for file in $(wildcard packaging/completion/*); do \
	    install -D -m 644 $$file $(SHARE)/bash-completion/completions/$${file##*/} || exit; done
	[ ! -d packaging/examples ] || cp -r packaging/examples/. $(SHARE)/doc/cassandra-prober/examples/
	test -e $(DESTDIR)/etc/cassandra-prober/collector.conf || \
	    install -D -m 644 packaging/collector.conf $(DESTDIR)/etc/cassandra-prober/collector.conf

# Never over a file that a running nginx has mapped.
install-module: $(NGX_SO)
	install -D -m 644 $(NGX_SO) $(DESTDIR)$(NGX_MODULES)/ngx_http_prober_module.so.new
	mv $(DESTDIR)$(NGX_MODULES)/ngx_http_prober_module.so.new $(DESTDIR)$(NGX_MODULES)/ngx_http_prober_module.so
	install -D -m 644 packaging/nginx/prober.conf $(SHARE)/cassandra-prober/nginx-site.conf
	install -m 755 packaging/nginx/nginx-reexec $(SHARE)/cassandra-prober/nginx-reexec
	for page in $(wildcard man/ngx_*.[158]); do \
	    install -D -m 644 $$page $(SHARE)/man/man$${page##*.}/$${page##*/} || exit; done

# Packages are made of what is committed (TREE), in an export of its own, by a make of its own.
TREE ?= HEAD
OUT ?= build
RELEASE := cassandra-prober-$(VERSION)
RPM_MACROS ?= $(if $(wildcard /etc/debian_version),--nodeps --load=$(CURDIR)/packaging/rpm/ci.macros)
CLEAN_ENV := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL

deb:
	rm -rf $(OUT)/deb && mkdir -p $(OUT)/deb
	git archive --prefix=$(RELEASE)/ $(TREE) | tar -x -C $(OUT)/deb
	cd $(OUT)/deb/$(RELEASE) && cp -r packaging/debian debian && \
	    sed -i '1s/(.*)/($(VERSION))/' debian/changelog && $(CLEAN_ENV) dpkg-buildpackage -b -uc -us -j$(shell nproc)
	rm -rf $(OUT)/deb/$(RELEASE)

rpm:
	rm -rf $(OUT)/rpm && mkdir -p $(OUT)/rpm
	git archive --prefix=$(RELEASE)/ -o $(OUT)/rpm/$(RELEASE).tar.gz $(TREE)
	$(CLEAN_ENV) rpmbuild $(RPM_MACROS) --define '_topdir $(abspath $(OUT))/rpm/work' \
	    --define 'prober_version $(VERSION)' --define '_rpmdir $(abspath $(OUT))/rpm' \
	    --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' -tb $(OUT)/rpm/$(RELEASE).tar.gz
	rm -rf $(OUT)/rpm/work

format:
	clang-format -i shared/*.[ch] ngx_prober_module/*.[ch] collector/*.[ch] collector/*/*.[ch] \
	    proberctl/*.[ch] t/*/*.[ch]
clean:
	rm -rf build/obj build/asan build/tsan build/unit build/tools build/preload build/fuzz build/gen build/nginx build/*.a build/*.so \
	    build/prober-collector build/proberctl

.PHONY: all tools test-programs unit-programs fuzz-programs check unit fuzz-smoke screenshots bench soak install install-collector \
    install-module deb rpm format clean
