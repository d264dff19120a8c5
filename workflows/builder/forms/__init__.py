"""Forms made of the settings' own models: what is said of a setting stands at the setting (`definition.shown`)."""
