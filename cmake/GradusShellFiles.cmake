# Completion scripts and manual pages of the command. The command itself writes them, so the build must be able to run it.
if(CMAKE_CROSSCOMPILING OR GRADUS_SANITIZE)
  return()
endif()
set(shell_files "${CMAKE_BINARY_DIR}/shell_files")
add_custom_command(
  OUTPUT "${shell_files}/gradus.bash" "${shell_files}/_gradus" "${shell_files}/gradus.fish" "${shell_files}/man1/gradus.1"
  COMMAND ${CMAKE_COMMAND} -E rm -rf "${shell_files}"
  COMMAND ${CMAKE_COMMAND} -E make_directory "${shell_files}"
  COMMAND gradus_cli completion bash > "${shell_files}/gradus.bash"
  COMMAND gradus_cli completion zsh > "${shell_files}/_gradus"
  COMMAND gradus_cli completion fish > "${shell_files}/gradus.fish"
  COMMAND gradus_cli manual "${shell_files}/man1"
  DEPENDS gradus_cli
  COMMENT "Writing completion scripts and manual pages"
  VERBATIM)
add_custom_target(gradus_shell_files ALL DEPENDS "${shell_files}/gradus.bash")
# They are missing if only a part was built.
install(FILES "${shell_files}/gradus.bash" DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME gradus
  COMPONENT tools OPTIONAL)
install(FILES "${shell_files}/_gradus" DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT tools OPTIONAL)
install(FILES "${shell_files}/gradus.fish" DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
  COMPONENT tools OPTIONAL)
install(DIRECTORY "${shell_files}/man1" DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT tools OPTIONAL)
