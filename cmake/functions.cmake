# SPDX-License-Identifier: MIT
# Small helpers of the build.
#
# Holds      juggle_keep_architecture, juggle_programs.
# Invariant  none of them fails when a directory is empty.
# Called by  CMakeLists.txt.
# Why        the same few lines would otherwise stand there four times.
# Quirks     lessons and examples are part of `all` in release builds, so that they cannot rot.

# Drops from the list those files whose name ends in the name of another processor.
function(juggle_keep_architecture list_name)
    set(others x86_64 aarch64)
    list(REMOVE_ITEM others ${CMAKE_SYSTEM_PROCESSOR})
    list(JOIN others "|" pattern)
    set(files ${${list_name}})
    list(FILTER files EXCLUDE REGEX "_(${pattern})\\.[cS]$")
    set(${list_name} ${files} PARENT_SCOPE)
endfunction()

# juggle_programs(GROUP GLOB [LIBRARY...]): target GROUP builds one program per file, into <build>/GROUP/.
function(juggle_programs group glob)
    file(GLOB files CONFIGURE_DEPENDS ${glob})
    if(NOT files OR NOT TARGET juggle_static)
        return()
    endif()
    set(part_of_all)
    if(CMAKE_BUILD_TYPE STREQUAL Release AND NOT group STREQUAL fuzz)
        set(part_of_all ALL)
    endif()
    add_custom_target(${group} ${part_of_all})
    foreach(file IN LISTS files)
        cmake_path(GET file STEM LAST_ONLY stem)
        set(target ${group}_${stem})
        add_executable(${target} EXCLUDE_FROM_ALL ${file})
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${stem}
                              RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${group})
        target_link_libraries(${target} PRIVATE juggle_flags ${ARGN} juggle_static)
        if(group STREQUAL fuzz)
            target_include_directories(${target} PRIVATE src)
            target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        endif()
        add_dependencies(${group} ${target})
    endforeach()
endfunction()
