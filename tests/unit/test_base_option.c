/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mount options and paths as text. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/option.h"
#include "base/path.h"

static void paths_are_compared_by_components(void **state)
{
    (void)state;
    assert_true(ra_path_is_within("/a/b", "/a/b"));
    assert_true(ra_path_is_within("/a/b/c", "/a/b"));
    assert_true(ra_path_is_within("/a", "/"));
    assert_false(ra_path_is_within("/a/bc", "/a/b"));
    assert_false(ra_path_is_within("/a", "/a/b"));
}

static void check_normal(const char *path, const char *expected)
{
    ra_auto_free char *normal = ra_path_normalise(path);

    if (expected == NULL)
        assert_null(normal);
    else
        assert_string_equal(normal, expected);
}

static void paths_are_normalised(void **state)
{
    (void)state;
    check_normal("/a/b", "/a/b");
    check_normal("//a///b/", "/a/b");
    check_normal("/a/./b/.", "/a/b");
    check_normal("/...", "/...");
    check_normal("/", "/");
    check_normal("///", "/");
    check_normal("/a/../b", NULL);
    check_normal("a/b", NULL);
    check_normal("", NULL);
}

static void options_are_whole_words(void **state)
{
    ra_auto_free char *value = ra_option_value("subvol=a,x=1,subvol=b", "subvol");
    ra_auto_free char *quoted =
        ra_option_value("context=\"system_u:object_r:t:s0:c1,c2\",size=1m", "size");

    (void)state;
    assert_true(ra_option_is_set("rw,ro", "ro"));
    assert_true(ra_option_is_set("ro", "ro"));
    assert_true(ra_option_is_set("loop=/dev/loop1", "loop"));
    assert_false(ra_option_is_set("errors=remount-ro", "ro"));
    assert_false(ra_option_is_set("rox,xro", "ro"));
    assert_false(ra_option_is_set("", "ro"));
    assert_false(ra_option_is_set(NULL, "ro"));
    assert_false(ra_option_is_set("context=\"a,ro,b\"", "ro"));
    assert_string_equal(value, "b");
    assert_string_equal(quoted, "1m");
    assert_null(ra_option_value("subvol", "subvol"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_compared_by_components),
        cmocka_unit_test(paths_are_normalised),
        cmocka_unit_test(options_are_whole_words),
    };

    return cmocka_run_group_tests_name("options and paths", tests, NULL, NULL);
}
