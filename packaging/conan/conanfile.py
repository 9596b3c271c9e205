"""Conan 2 recipe for the tree it lies in: conan create packaging/conan"""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Gradus(ConanFile):
    name = "gradus"
    package_type = "shared-library"
    license = "Apache-2.0"
    description = "Neural network training in native C++"
    topics = ("machine-learning", "neural-network", "autograd")
    settings = "os", "arch", "compiler", "build_type"
    options = {"tools": [True, False]}
    default_options = {"tools": False}
    # Loaded by the library alone: who uses it sees none of their headers.
    requires_hidden = ("fmt/[>=9]", "libjpeg-turbo/[>=2.1]", "libpng/[>=1.6]", "nlohmann_json/[>=3.11]",
                       "onednn/[>=2.6]", "openblas/[>=0.3.20]", "zlib/[>=1.2.13]")

    @property
    def root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        lists = load(self, os.path.join(self.root, "CMakeLists.txt"))
        self.version = re.search(r"project\(gradus VERSION ([0-9.]+)", lists).group(1)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*"):
            copy(self, pattern, self.root, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def validate(self):
        check_min_cppstd(self, 20)

    def requirements(self):
        for reference in self.requires_hidden:
            self.requires(reference, visible=False)
        if self.options.tools:
            self.requires("cairo/[>=1.16]", visible=False)
            self.requires("cli11/[>=2.1]", visible=False)
            self.requires("yaml-cpp/[>=0.7]", visible=False)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "BENCH", "EXAMPLES"):
            toolchain.cache_variables[f"GRADUS_BUILD_{part}"] = False
        toolchain.cache_variables["GRADUS_BUILD_CLI"] = bool(self.options.tools)
        toolchain.cache_variables["GRADUS_WERROR"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "gradus")
        self.cpp_info.set_property("cmake_target_name", "gradus::gradus")
        self.cpp_info.set_property("pkg_config_name", "gradus")
        self.cpp_info.libs = ["gradus"]
