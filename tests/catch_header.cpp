// Makes CMake build the precompiled header here: catch_main.cpp cannot use it, as it includes Catch2 its own way.
