"""The rig of the drills: services, processes, a stub ESP, load, faults, and the checks that read what is left."""
